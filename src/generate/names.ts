/** Names as they occur in the United States, accents included. */

export const FEMALE_NAMES: readonly string[] = (
  "Olivia Emma Charlotte Amelia Sophia Isabella Mia Evelyn Harper Camila Elizabeth Mary Patricia Jennifer Linda Barbara " +
  "Susan Jessica Sarah Karen Lisa Nancy Betty Sandra Margaret Ashley Kimberly Emily Donna Michelle Carol Amanda Melissa " +
  "Deborah Stephanie Rebecca Sharon Laura Cynthia Dorothy Amy Kathleen Angela Shirley Brenda Pamela Nicole Ruth Anna " +
  "Lucía Sofía María Inés Zoë Chloë Renée Aimée Noémie Björk Anaïs Thảo Mỹ Agnieszka Oksana Priya Ananya Mei Yuki " +
  "Fatima Amina Leilani Aaliyah Imani Shanice Guadalupe Ximena Beatriz Concepción"
).split(" ");

export const MALE_NAMES: readonly string[] = (
  "Liam Noah Oliver James Elijah William Henry Lucas Benjamin Theodore Robert John Michael David Richard Joseph Thomas " +
  "Christopher Charles Daniel Matthew Anthony Mark Donald Steven Andrew Paul Joshua Kenneth Kevin Brian George Timothy " +
  "Ronald Jason Edward Jeffrey Ryan Jacob Gary Nicholas Eric Jonathan Stephen Larry Justin Scott Brandon Samuel Frank " +
  "José Jesús Andrés Sebastián Ángel Raúl Hernán Tomás Jürgen Søren François André Nguyên Đức Łukasz Dmitri Arjun Rohan " +
  "Wei Kenji Omar Ahmed Kwame DeShawn Malik Kaleo Mateo Santiago Ramón Iñigo"
).split(" ");

export const FAMILY_NAMES: readonly string[] = (
  "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson Anderson " +
  "Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young " +
  "Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts " +
  "Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers Gutierrez " +
  "Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson Brooks Chavez Wood Bennett " +
  "García Núñez Peña Muñoz Ibáñez Gutiérrez Müller Schröder Weiß O'Brien O'Connor D'Angelo Lefèvre Côté Þórsson Sørensen " +
  "Åkesson Wałęsa Dvořák Nguyễn Trần Patel Singh Kapoor Chen Wang Tanaka Okafor Adeyemi Abdi Haddad Kealoha Begay Yazzie " +
  "Smith-Jones García-López St.John"
).split(" ");

export const STREETS: readonly string[] = (
  "Maple Oak Cedar Pine Elm Washington Lake Hill Walnut Spring North Ridge Church Willow Mill Sunset Railroad Jackson " +
  "Highland Johnson Center Forest River Meadow Dogwood Chestnut Lincoln Franklin Jefferson Madison"
).split(" ");

export const STREET_KINDS: readonly string[] = [
  "Street",
  "Avenue",
  "Road",
  "Lane",
  "Drive",
  "Court",
  "Way",
  "Boulevard",
];
